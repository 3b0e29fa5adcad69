"""The frame of the pages that long runs write: one HTML file each, which needs no other."""

import jinja2

__all__ = ["rendered"]

FRAME = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>SIOMMU: {{ title }}</title>
<meta name="viewport" content="width=device-width">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; display: block; overflow-x: auto }
td, th { border: 1px solid #ccc; padding: .2rem .6rem; text-align: left; vertical-align: top }
td.number { text-align: right } .bad { color: #b00020; font-weight: bold } pre { overflow-x: auto }
</style></head><body>
{% block body %}{% endblock %}
</body></html>
"""


def rendered(body, **facts):
    """A page as text: ``body``, a jinja2 template, with ``facts``, the ``title`` among them."""
    templates = jinja2.DictLoader({
        "frame": FRAME,
        "page": f'{{% extends "frame" %}}{{% block body %}}{body}{{% endblock %}}'})
    return jinja2.Environment(loader=templates, autoescape=True).get_template("page").render(facts)
