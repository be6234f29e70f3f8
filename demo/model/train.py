"""Train the demo's two digit classifiers; the image build runs this once.

The data set is scikit-learn's own `digits` (1,797 scans of 8 x 8 pixels from the UCI repository, E. Alpaydin and
C. Kaynak, 1998), so that nothing is downloaded. The split is fixed: the same scikit-learn gives the same models.
"""

import sys
from pathlib import Path

import joblib  # type: ignore[import-not-found] # installed in the model's image only
import numpy as np
from sklearn.datasets import load_digits  # type: ignore[import-not-found] # see above
from sklearn.linear_model import LogisticRegression  # type: ignore[import-not-found] # see above
from sklearn.model_selection import train_test_split  # type: ignore[import-not-found] # see above
from sklearn.naive_bayes import GaussianNB  # type: ignore[import-not-found] # see above

from seatrial_instrument.profile import from_dataframe

SYMBOLS = "0123456789abcdefg"  # brightness runs from 0 to 16
LEAST_GAIN = 0.05
COLUMNS = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
WATCHED = 8


def train(folder: Path) -> dict[str, float]:
    """Fit both qualities and write them next to the held-out scans.

    Parameters
    ----------
    folder
        Receives `v1.joblib` (naive Bayes, the weaker), `v2.joblib` (logistic regression, the better), the reference
        profile of each (`v1.profile.json`) and `digits.txt`, the held-out scans for the load generator: a line has the
        true digit and 64 pixels in base 17.

    Returns
    -------
    dict[str, float]
        Share of right answers on held-out scans, by quality, in 0..1.

    Raises
    ------
    RuntimeError
        The better model is not clearly better: the story would tell a lie.
    """
    pixels, digits = load_digits(return_X_y=True)
    seen, unseen, seen_digits, unseen_digits = train_test_split(
        pixels, digits, test_size=0.3, random_state=0, stratify=digits
    )
    folder.mkdir(parents=True, exist_ok=True)
    better = LogisticRegression(max_iter=2000)
    accuracy, known = {}, None
    for quality, classifier in {"v1": GaussianNB(), "v2": better}.items():
        classifier.fit(seen, seen_digits)
        joblib.dump(classifier, folder / f"{quality}.joblib")
        accuracy[quality] = float(classifier.score(unseen, unseen_digits))
    # The pixels that move the better model most, in the unit of its scores.
    weight = np.abs(better.coef_).mean(axis=0) * seen.std(axis=0)
    watched = [COLUMNS[index] for index in np.argsort(-weight)[:WATCHED]]
    for quality in accuracy:
        answers = joblib.load(folder / f"{quality}.joblib").predict(unseen)
        profile = from_dataframe(
            {**dict(zip(COLUMNS, unseen.T, strict=True)), "digit": answers},
            features=watched, predictions=["digit"], categorical=["digit"], edges_from=known,
        )  # fmt: skip
        known = known or profile
        (folder / f"{quality}.profile.json").write_text(profile.to_json())
    if accuracy["v2"] - accuracy["v1"] < LEAST_GAIN:
        raise RuntimeError(f"v2 must beat v1 by {LEAST_GAIN}: held-out accuracy is {accuracy}")
    lines = [
        f"{int(digit)} {''.join(SYMBOLS[int(pixel)] for pixel in scan)}\n"
        for scan, digit in zip(unseen, unseen_digits, strict=True)
    ]
    (folder / "digits.txt").write_text("".join(lines))
    return accuracy


if __name__ == "__main__":
    for name, share in train(Path(sys.argv[1])).items():
        print(f"{name}: {share:.1%} of held-out digits right")
