#!/bin/sh
# pip install nothing
set -eu
VERSION=1.0
docker run --rm -v "$PWD:/w" -e A=b registry.example/tool:3@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 sh -c 'apt list'
curl -o "k-$VERSION.tgz" "https://dl.example/k-$VERSION.tgz"
sha256sum -c <<SUMS
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  k-$VERSION.tgz
SUMS
git clone https://git.example/team/repo.git
cd repo && git checkout 0123456789abcdef0123456789abcdef01234567
spark-submit --conf spark.kubernetes.container.image=registry.example/spark:3.1.3@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 app.jar
uv sync --locked
npm ci
cat <<'TEXT'
wget https://dl.example/none
TEXT
curl -X POST -d '{}' https://api.example/notify
