"""Print a fixed instant: the name of its month in UTC, or its local hour."""

import locale
import sys
import time

SHOWN = {"month": ("%d %B %Y", time.gmtime), "hour": ("%H:%M", time.localtime)}
locale.setlocale(locale.LC_ALL, "")
form, zone = SHOWN[sys.argv[1]]
print(time.strftime(form, zone(1_700_000_000)))
