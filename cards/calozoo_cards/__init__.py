"""Cards of the models: a folder for each, with `README.md`, `measurements.json` and a picture."""
