"""Metrics of results that compare across backbones: pure functions of pictures and features.

A metric is a function whose arguments say what it needs, for one artist's N results at a time:

- `pictures`, `contents`: results and their content pictures, (N, S, S, 3) in [0, 1];
- `features`, `content_features`: a pretrained evaluator's features of the same;
- `evaluator`: that network itself, for activations that `features` do not keep;
- `reference`, `reference_features`: the paintings that its YAML names, n of them;
- `judgement`: what a network of a fitted classifier makes of the results, `classifier.Judgement`;
- `outside`: features of paintings outside every style set, by artist; `artist`: whose results.

Where its YAML says `whole_run: true`, they are of all artists' results at once, if these are
`at_least` so many; features are then `pooled` ones alone.

Further arguments come from its YAML in `conf/metrics/`. It returns (N,), or with a row for each of
the evaluator's style layers (layers, N), whose mean over the layers is the metric.
"""
