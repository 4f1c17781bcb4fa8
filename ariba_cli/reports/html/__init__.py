"""A report of an audit → one page of HTML that stands by itself.

It has no scripts, loads nothing, and has pictures as inline SVG. Every element is made by
`markup.element`, so that names of elements and attributes are written in the code alone, and
text that came from elsewhere is nothing but text. One module per section of the page.
"""
