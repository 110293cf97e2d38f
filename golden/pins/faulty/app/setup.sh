#!/usr/bin/env bash
set -euo pipefail
VERSION=1.0
sudo apt-get install -y jq
pip3 install "pyyaml>=$VERSION"
curl -o k.tgz "https://dl.example/k-$VERSION.tgz"
if [ -n "${X:-}" ]; then
  git clone git@git.example:team/repo.git
fi
docker run --rm -v "$PWD:/w" --network=host registry.example/tool:3 sh -c 'true'
spark-submit --master k8s://x \
  --conf spark.kubernetes.container.image=registry.example/spark:3.1.3-SNAPSHOT \
  app.jar
npx cowsay hello
uv sync
cat <<'LIST' | sudo tee /etc/apt/sources.list.d/live.list
deb http://mirror.example/debian bookworm main
LIST
