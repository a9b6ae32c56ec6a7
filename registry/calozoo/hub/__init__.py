"""The Hugging Face Hub: the files of a commit into the cache, and new commits out of a folder."""

from __future__ import annotations

from calozoo.hub.download import MAX_TEXT_BYTES, Hub
from calozoo.hub.errors import HubUnreachableError, NotOnHubError
from calozoo.hub.upload import HubRepo, card_facts

__all__ = ["MAX_TEXT_BYTES", "Hub", "HubRepo", "HubUnreachableError", "NotOnHubError", "card_facts"]
