from spectral_jax.pages import html


def test_a_page_carries_its_style_sheet_and_asks_for_nothing():
    page = html.page("A & B", "", "<p>said</p>", {"Part <1>": "<p>text</p>"})
    style = page.split("<style>")[1].split("</style>")[0]
    assert style.startswith("\n:root {")
    assert "tr.ours td { background: var(--ours); }" in style
    assert style.count("{") == style.count("}") > 30
    assert "url(" not in style
    assert "@import" not in style
    assert "<title>A &amp; B</title>" in page
    assert '<section id="part-0"><h2>Part &lt;1&gt;</h2>' in page
