"""Debian packages of a repaudit.lock: whether the snapshot still serves their bytes."""

from __future__ import annotations

from repaudit.indexes._downloads import Downloads
from repaudit.indexes.interface import Index

INDEX: Index = Downloads("deb")
