"""Export of shower files to the formats of other programs."""
