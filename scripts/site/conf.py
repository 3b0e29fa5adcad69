"""Sphinx: Markdown by MyST, docstrings by autodoc."""

from siommu import __version__

project = "SIOMMU"
author = "the SIOMMU authors"
project_copyright = "the SIOMMU authors, Apache-2.0"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4                #: links to headings, as everybody else makes them
suppress_warnings = [
    "myst.header",                      # a page may begin its sections where it likes
    "ref.python",                       # names of types in docstrings that several modules have
]

# Members of Components and attributes of classes have sections of their own in the docstrings.
napoleon_google_docstring = False
napoleon_custom_sections = [("Members", "params_style")]
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": False}
autodoc_typehints = "none"

highlight_language = "none"             # a block without a language is a drawing, or a transcript
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_title = f"SIOMMU {version}"
html_show_sourcelink = False
html_copy_source = False
pygments_style = "friendly"
