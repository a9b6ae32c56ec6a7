"""Hugging Face Hub: downloads into its cache, uploads to a repository, and their errors."""

from __future__ import annotations

from calozoo.hub.download import MAX_TEXT_BYTES, Hub
from calozoo.hub.errors import HubUnreachableError, NotOnHubError
from calozoo.hub.upload import HubRepo, card_facts, front_matter

__all__ = [
    "MAX_TEXT_BYTES",
    "Hub",
    "HubRepo",
    "HubUnreachableError",
    "NotOnHubError",
    "card_facts",
    "front_matter",
]
