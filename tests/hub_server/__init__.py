"""A Hugging Face Hub on loopback: repositories, downloads, uploads, tokens, and ways to go wrong.

Standard library only; everything is in memory. What it answers was compared with what the real
client asks for, and with olah, an independent mirror that can stand in front of it.
"""

from __future__ import annotations

from hub_server.server import READER, WRITER, Hub

__all__ = ["READER", "WRITER", "Hub"]
