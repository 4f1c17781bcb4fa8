"""The reports on results: JSON, table, CSV, HTML; and the published schemas of the JSON.

Nothing here prints. Text that came from files goes through `visible` before it reaches
a terminal, and JSON goes out as ASCII bytes.
"""
