"""Addresses of downloads: whether they still serve the bytes that were pinned."""

from __future__ import annotations

from repaudit.indexes._downloads import Downloads
from repaudit.indexes.interface import Index

INDEX: Index = Downloads("http")
