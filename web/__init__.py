"""The page: templates rendered by Jinja2. It depends on `pvm` alone of our packages."""
