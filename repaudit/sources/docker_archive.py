"""What `docker save` writes: `docker-archive:FILE` or `docker-archive:FILE:TAG`."""

from __future__ import annotations

from pathlib import Path

from repaudit.model.errors import SourceError
from repaudit.sources._archive import is_archive, open_archive
from repaudit.sources._docker import open_docker
from repaudit.sources._reference import find_path, split
from repaudit.sources.interface import Opened, Source


class _DockerArchive:
    name = "docker_archive"
    summary = "docker-archive:FILE[:TAG], an archive made by docker save"

    def claims(self, reference: str) -> bool:
        return split(reference)[0] == "docker-archive"

    def open(self, reference: str, scratch: Path) -> Opened:
        rest = split(reference)[1]
        found = find_path(rest, is_archive)
        if found is None:
            raise SourceError(f"{rest} is no tar archive", hint="make it with `docker save`")
        return open_docker(open_archive(found[0], scratch), found[1])


SOURCE: Source = _DockerArchive()
