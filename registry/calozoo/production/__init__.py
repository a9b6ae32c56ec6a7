"""Productions: plans of many showers, their shards on one machine or many, and the merged file."""
