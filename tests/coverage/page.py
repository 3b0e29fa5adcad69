"""The page about coverage: one HTML file."""

from ..support.page import rendered

__all__ = ["page"]

SHOWN = 40      #: signals of a module with bits that never changed, at most

PAGE = """\
<h1>Coverage</h1>
<p>{{ date }}, configuration <code>{{ config }}</code>{% if commit %}, commit
{{ commit }}{% endif %}, {{ simulations }} simulations.</p>
{% if wrong %}<h2 class="bad">What is wrong</h2>
<ul>{% for each in wrong %}<li class="bad">{{ each }}</li>{% endfor %}</ul>
{% else %}<p>All covers were seen, all lines, and {{ limits.branch }} % of the branches or more.</p>
{%- endif %}
<table><tr><th>of</th><th>covered</th><th>all</th><th>%</th></tr>
{% for name, ratio in ratios %}<tr><td>{{ name }}</td><td class="number">{{ ratio.hit }}</td>
<td class="number">{{ ratio.all }}</td>
<td class="number">{{ "%.2f" | format(ratio.percent) }}</td></tr>{% endfor %}</table>
<h2>Lines that are left out</h2>
<table><tr><th>modules</th><th>lines like</th><th>how many</th><th>reason</th></tr>
{% for each, lines in used.items() %}<tr><td><code>{{ each.module }}</code></td>
<td><code>{{ each.text }}</code></td>
<td class="number{% if not lines %} bad{% endif %}">{{ lines | length }}</td>
<td>{{ each.reason }}</td></tr>{% endfor %}</table>
<h2>Modules, the worst ones first</h2>
<table><tr><th>module</th><th>source</th><th>lines %</th><th>branches %</th><th>toggles %</th>
<th>what is missing</th></tr>
{% for each in modules %}<tr><td>{{ each.place }}</td><td>{{ source(each.place) }}</td>
{% for ratio in (each.line, each.branch, each.toggle) %}<td class="number">
{{- "%.1f" | format(ratio.percent) if ratio.all else "–" }}</td>{% endfor %}
<td>{% if each.missed %}<details{% if each.missed | length < 9 %} open{% endif %}>
<summary>{{ each.missed | length }} lines</summary><pre>
{% for number, text in each.missed %}{{ "%6d" | format(number) }}  {{ text }}
{% endfor %}</pre></details>{% endif %}
{% if each.still %}<details><summary>{{ each.still | length }} signals have bits that never changed
in a direction</summary>{% for name, bits in (each.still | dictsort)[:shown] %}
{{- name }}&nbsp;({{ bits }}){{ ", " if not loop.last }}{% endfor %}
{% if each.still | length > shown %}…{% endif %}</details>{% endif %}</td></tr>
{% endfor %}</table>
{% for title, covers in tables.items() %}<h2>{{ title }}</h2>
<p>{{ covers | length }} covers.</p>
<table><tr><th>cover</th><th>times</th></tr>
{% for name, count in covers.items() %}<tr{% if not count %} class="bad"{% endif %}>
<td>{{ name }}</td><td class="number">{{ count }}</td></tr>
{% endfor %}</table>{% endfor %}"""


def page(measured, **facts):
    """The text of the page.

    Parameters
    ----------
    measured : Measured
    facts
        What else it says: ``date``, ``config``, ``commit``, ``simulations``, ``limits``, ``wrong``
        (sentences), ``source`` (place to Python module), ``tables`` (title to covers, and those
        to counts).
    """
    total = measured.total
    return rendered(
        PAGE, title="coverage",
        ratios=(("lines", total.line), ("branches", total.branch), ("toggles", total.toggle)),
        used=measured.used, modules=measured.modules, shown=SHOWN, **facts)
