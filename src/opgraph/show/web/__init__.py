"""The web: a JSON API over the record and the definitions, and the pages that use it."""
