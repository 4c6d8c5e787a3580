"""What the versions of a study say of its adaptations: each in each version, and whether the version changes the difference."""

from collections.abc import Sequence

from spectral_jax.adapt.lines import Line
from spectral_jax.adapt.score import seeds


def sentences(lines: Sequence[Line], results: Sequence[dict], metric: str) -> list[str]:
    """For each encoder with two adaptations in two versions of one study, three differences, paired by seed.

    Args:
      lines: of a comparison; versions of a study have a name with a slash, `terramind_study/corrected`.
      results: rows of results.json.
      metric: which of its metrics, higher is better.

    Returns:
      Sentences; none where a comparison has no versions, or seeds are fewer than two.
    """
    values: dict[str, dict[int, float]] = {}
    for row in results:
        if row["metric"] == metric and row["value"] is not None:
            values.setdefault(row["row"], {})[row["seed"]] = row["value"]
    named = {(line.encoder, line.adaptation, line.protocol.name): line.name for line in lines if "/" in line.protocol.name}
    out = []
    for encoder in dict.fromkeys(key[0] for key in named):
        versions = list(dict.fromkeys(key[2] for key in named if key[0] == encoder))
        adaptations = list(dict.fromkeys(key[1] for key in named if key[0] == encoder))
        for i, first in enumerate(adaptations):
            for second in adaptations[i + 1 :]:
                out += _of_pair(encoder, (first, second), versions, named, values, metric)
    return out


def _of_pair(encoder, pair, versions, named, values, metric) -> list[str]:
    apart: dict[str, dict[int, float]] = {}
    for version in versions:
        rows = [named.get((encoder, adaptation, version), "") for adaptation in pair]
        both = set(values.get(rows[0], {})) & set(values.get(rows[1], {}))
        if len(both) >= 2:
            apart[version] = {seed: values[rows[0]][seed] - values[rows[1]][seed] for seed in sorted(both)}
    out = []
    for version, differences in apart.items():
        found = seeds.over_seeds(differences)
        out.append(
            f"{encoder}, {pair[0]} less {pair[1]} by {version}: {metric} {found.mean:+.3f} (95 % {found.low:+.3f} to "
            f"{found.high:+.3f}, {len(found.seeds)} seeds, paired)."
        )
    if len(apart) == 2 and len({tuple(differences) for differences in apart.values()}) == 1:
        (one, first), (other, second) = apart.items()
        pair = seeds.paired(first, second, (one, other))
        fact = "changes" if pair.low > 0 or pair.high < 0 else "is not shown to change"
        out.append(
            f"The version {fact} that difference: {one} less {other} is {pair.difference:+.3f} (95 % {pair.low:+.3f} to "
            f"{pair.high:+.3f}, {len(pair.seeds)} seeds, paired)."
        )
    return out
