"""Write a wheel by hand: one module and what the wheel format asks for, with fixed times."""

import zipfile

INFO = "planted-1.dist-info"
FILES = {
    "planted.py": "x = 1\n",
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: planted\nVersion: 1\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
with zipfile.ZipFile("planted-1-py3-none-any.whl", "w") as wheel:
    for name, text in FILES.items():
        wheel.writestr(zipfile.ZipInfo(name), text)
    record = "".join(f"{name},,\n" for name in [*FILES, f"{INFO}/RECORD"])
    wheel.writestr(zipfile.ZipInfo(f"{INFO}/RECORD"), record)
