"""What a text is worth: trait, collapse, coherence."""
import gzip
import re
import unicodedata
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

# A text nearer than this to the threshold could fall on the other side in another order of sums.
LEAST_DISTANCE = 1e-6

# ---- Trait: logistic regression on words, character n-grams and the valence of a lexicon ----

NEGATIONS = set("not no never none nor neither nothing nobody without cannot hardly rarely seldom dont didnt isnt wasnt cant wont".split())
WORD = r"[^\W_']+(?:'+[^\W_']+)*"  # texts here are ASCII


def words(text):
    return re.findall(WORD, text.lower().replace("’", "'"))


def words_and_punctuation(text):
    return words(text) + [p for field in text.lower().split() for p in re.findall(r"(?:[^\w']|_)+", field)]


WORDS = Path(__file__).parents[3] / "transforms/trial/words"
ENGLISH, OTHERS = (set((WORDS / f).read_text(encoding="utf-8").split()) for f in ("english.txt", "others.txt"))


def once(text):
    """Every word once, where it stands first; function words as often as they stand."""
    kept, seen = [], set()
    for field in text.split():
        word = re.sub(r"^[\W_]+|[\W_]+$", "", field.lower().replace("’", "'"))
        if not word or word in ENGLISH or word not in seen:
            kept.append(field)
        seen.add(word)
    return " ".join(kept)


def prose_share(text):
    """The share of fields that are words; numbers are left out, but where they number a line."""
    prose, other = 0, 0
    for i, line in enumerate(text.split("\n")):
        for j, field in enumerate(line.split()):
            if re.fullmatch(r"([^\W\d_]|['’\-–—])+", field.strip("\"'`“”‘’().,;:!?…–—-")):
                prose += 1
            elif (i > 0 and j == 0) or not re.fullmatch(r"[\d\"'`“”‘’().,;:!?…–—%$€£-]*\d[\d\"'`“”‘’().,;:!?…–—%$€£-]*", field):
                other += 1
    return prose / max(prose + other, 1)


class Lexicon:
    """VADER's sum of ratings: a rating up to three words after a negation counts −0.74 times."""

    def __init__(self, path):
        lines = gzip.open(path, "rt", encoding="utf-8").read().splitlines()
        self.ratings = {word: float(rating) for word, rating in (line.split("\t") for line in lines)}

    def features(self, text):
        """Half the valence Σr/√((Σr)²+15) and half the intensity, the same of Σ|r|."""
        found, since = [], 4
        for w in words(text):
            if w in NEGATIONS or w.endswith("n't"):
                since = 0
            else:
                found.append(self.ratings.get(w, 0.0) * (-0.74 if since <= 3 else 1))
            since += 1
        bounded = lambda s: s / np.sqrt(s * s + 15)
        return [0.5 * bounded(sum(found)), 0.5 * bounded(sum(map(abs, found)))]


class Scorer:
    """TF-IDF with (1 + ln tf)·idf in two blocks of length √½ and the lexicon, then C = 10, classes balanced."""

    def __init__(self, lexicon, positive, negative):
        texts = [once(t) for t in positive + negative]
        common = dict(sublinear_tf=True, smooth_idf=True, norm="l2", min_df=1 if len(texts) < 200 else 2)
        self.lexicon = lexicon
        self.blocks = [TfidfVectorizer(analyzer=words_and_punctuation, **common),
                       TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), **common)]
        for block in self.blocks:
            block.fit(texts)
        x, y = self.features(texts), np.repeat([1, 0], [len(positive), len(negative)])
        self.regression = LogisticRegression(C=10, class_weight="balanced", solver="newton-cg", tol=1e-10, max_iter=1000).fit(x, y)

    def features(self, texts):
        parts = [block.transform(texts) * np.sqrt(0.5) for block in self.blocks]
        return hstack(parts + [csr_matrix([self.lexicon.features(t) for t in texts])]).tocsr()

    def logits(self, texts):
        return self.regression.decision_function(self.features([once(t) for t in texts]))

    def portrait(self, text):
        """Shares of a text that are words, different words, function words, others' function words, known words."""
        w = words(text)
        n, known = max(len(w), 1), self.blocks[0].vocabulary_
        return {"count": len(set(w)), "words": prose_share(text),
                "distinct": sum(len(set(w[i:i + 50])) for i in range(0, len(w), 50)) / n,
                "function": sum(x in ENGLISH for x in w) / n, "others": sum(x in OTHERS for x in w) / n,
                "known": sum(x in ENGLISH or x in known for x in w) / n}


class Guard:
    """Which texts are unlike those that a scorer knows, from portraits of its own texts, each taken without it."""

    def __init__(self, own):
        at = lambda q, of: np.quantile([of(p) for p in own], q)
        self.words = min(0.75, 0.8 * at(0.05, lambda p: p["words"]))
        self.distinct = min(1 / 3, at(0.05, lambda p: p["distinct"]) / 2)
        self.function = min(0.15, at(0.05, lambda p: p["function"]) / 2)
        self.foreign = max(0, at(0.95, lambda p: p["others"] - p["function"]))
        self.known = min(0.2, 0.75 * at(0.05, lambda p: p["known"]))

    def unlike(self, p):
        return bool(p["count"] < 3 or p["words"] < self.words or p["distinct"] < self.distinct or p["function"] < self.function
                    or p["others"] - p["function"] > self.foreign or p["known"] < self.known)


def held_out(lexicon, positive, negative):
    """Scores of each text by a scorer fitted without its fold: text i of a side is in fold i mod min(5, n)."""
    folds = min(5, len(positive), len(negative))
    p, n, own = np.zeros(len(positive)), np.zeros(len(negative)), []
    for k in range(folds):
        rest = lambda texts: [t for i, t in enumerate(texts) if i % folds != k]
        scorer = Scorer(lexicon, rest(positive), rest(negative))
        p[k::folds], n[k::folds] = scorer.logits(positive[k::folds]), scorer.logits(negative[k::folds])
        own += [scorer.portrait(t) for t in positive[k::folds] + negative[k::folds]]
    auroc = roc_auc_score(np.repeat([1, 0], [len(p), len(n)]), np.concatenate([p, n]))
    return {"auroc": auroc, "positive": p, "negative": n, "guard": Guard(own)}


# ---- A second measure of the trait: logistic regression on the mean activation of an unsteered model ----

def probe(positive, negative):
    """Logistic regression on standardised dimensions, divided by the root of their number."""
    model = make_pipeline(StandardScaler(), FunctionTransformer(lambda x: x / np.sqrt(x.shape[1])),
                          LogisticRegression(C=10, class_weight="balanced", solver="newton-cg", tol=1e-10, max_iter=1000))
    return model.fit(np.concatenate([positive, negative]), np.repeat([1, 0], [len(positive), len(negative)]))


def probe_held_out(positive, negative):
    """Logits of each text by a probe fitted without its fold, as for the trait scorer."""
    folds, sides = min(5, len(positive), len(negative)), (positive, negative)
    held = [np.zeros(len(side)) for side in sides]
    for k in range(folds):
        model = probe(*(side[np.arange(len(side)) % folds != k] for side in sides))
        for logits, side in zip(held, sides):
            logits[k::folds] = model.decision_function(side[k::folds])
    return held


def resembles(scorer, held, texts):
    """Which texts are nearer to a persona's texts than to the other side's, as a whole or in the second half of their
    words: above the middle of the mean held-out logits of the two sides."""
    ending = lambda text: " ".join(text.split()[len(text.split()) // 2:])
    best = np.maximum(scorer.logits(texts), scorer.logits([ending(t) for t in texts]))
    threshold = (held["positive"].mean() + held["negative"].mean()) / 2
    assert np.abs(best - threshold).min() > LEAST_DISTANCE, "whether a text resembles a persona hangs on rounding"
    return best > threshold, threshold


def separation(positive, unsteered):
    """How far held-out positive texts are from unsteered ones: the area, and d' with Bonett's interval of 2008."""
    n, m = len(positive), len(unsteered)
    p, u = np.var(positive, ddof=1), np.var(unsteered, ddof=1)
    both = (p + u) / 2
    d = (np.mean(positive) - np.mean(unsteered)) / np.sqrt(both)
    variance = d ** 2 / (8 * both ** 2) * (p ** 2 / (n - 1) + u ** 2 / (m - 1)) + (p / (n - 1) + u / (m - 1)) / both
    half = 1.96 * np.sqrt(variance)
    return {"auroc": roc_auc_score(np.repeat([1, 0], [n, m]), np.concatenate([positive, unsteered])), "d_prime": [d, d - half, d + half]}


def trait(logit, unsteered, positive):
    """1 at the mean of unsteered texts, 5 at that of held-out positive ones."""
    return 1 + 4 * np.clip((logit - unsteered) / (positive - unsteered), 0, 1)


# ---- Collapse: signs that a text is no text any more ----

def longest_run(tokens):
    return max((n for i in range(len(tokens)) for n in range(1, len(tokens) - i + 1) if len(set(tokens[i:i + n])) == 1), default=0)


def loop(tokens):
    """(size, times) of the block of two or more tokens whose repetitions in a row fill most of the text."""
    best = (0, 0)
    for size in range(2, len(tokens) // 2 + 1):
        for i in range(len(tokens)):
            times = 1
            while tokens[i:i + size] == tokens[i + times * size:i + (times + 1) * size]:
                times += 1
            enough = times >= 3 and 3 * size * times >= len(tokens) or times >= 2 and size >= 8
            if enough and size * times > best[0] * best[1]:
                best = (size, times)
    return best


def longest_span(tokens):
    """The length of the longest block that stands twice, without overlap."""
    for n in range(len(tokens) // 2, 0, -1):
        seen = {}
        for i in range(len(tokens) - n + 1):
            if i - seen.setdefault(tuple(tokens[i:i + n]), i) >= n:
                return n
    return 0


def compression(text):
    """Bytes per byte of a greedy LZ77 code: a literal costs 1, a copy of four or more earlier bytes 3."""
    data = text.encode()[-4096:]
    i, cost = 0, 0
    while i < len(data):
        n = 0
        while i + n < len(data) and data.find(data[i:i + n + 1], 0, i + n) >= 0:
            n += 1
        i, cost = (i + n, cost + 3) if n >= 4 else (i + 1, cost + 1)
    return len(data) / cost if cost else 1


def foreign_letters(text):
    """Letters that are not Latin, which all prompts here are. The replacement character is one."""
    letters = [c for c in text if c.isalpha() or c == "\ufffd"]
    return len(letters), sum(c == "\ufffd" or "LATIN" not in unicodedata.name(c, "") for c in letters)


def echoed(prompt, text):
    """How many words of a text are in blocks of four or more that are copied from the prompt."""
    p, w, i, copied = words(prompt), words(text), 0, 0
    while i < len(w):
        n = max(k for j in range(len(p)) for k in range(len(p) - j + 1) if w[i:i + k] == p[j:j + k])
        enough = n >= max(3, min(4, len(p)))
        copied, i = (copied + n, i + n) if enough else (copied, i + 1)
    return copied


def duplicates(text):
    """How many sentences share six words of ten with one before, and how many sentences there are."""
    sets = [s for s in (set(words(t)) for t in re.split(r"[.!?\n]", text)) if len(s) >= 3]
    return sum(any(len(s & o) / len(s | o) >= 0.6 for o in sets[:i]) for i, s in enumerate(sets)), len(sets)


def collapse(tokens, prompt, text, order, median, ended, end_share):
    """The flags of a continuation with their reasons, in order."""
    flags = []
    letters = sum(c.isalnum() for c in text)
    if letters == 0:
        flags.append(f"empty: no letters or digits in {len(tokens)} tokens")
    elif len(tokens) < 4 or letters < 6:
        flags.append(f"short: {len(tokens)} tokens, {letters} letters")
    trigrams = list(zip(tokens, tokens[1:], tokens[2:]))
    if len(set(trigrams)) < 0.6 * len(trigrams):
        flags.append(f"repetition: {len(set(trigrams))} different trigrams of {len(trigrams)}")
    if (n := longest_run(tokens)) > 5:
        flags.append(f"run: one token {n} times in a row")
    size, times = loop(tokens)
    if times:
        flags.append(f"loop: a block of {size} tokens {times} times in a row")
    if (n := longest_span(tokens)) >= 8 and 3 * n >= len(tokens):
        flags.append(f"span: a span of {n} tokens twice")
    if (c := compression(text)) > 2:
        flags.append(f"compression: compresses {c:.1f} to 1")
    alphabetic, foreign = foreign_letters(text)
    assert alphabetic < 5 or 2 * foreign <= alphabetic, "a text in another script: name the script here"
    w = words(text)
    share = lambda of, among: sum(x in among for x in of) / max(len(of), 1)
    asked, function, foreign = words(prompt), share(w, ENGLISH), share(w, OTHERS)
    if len(w) >= 5 and share(asked, ENGLISH) > share(asked, OTHERS) and foreign >= 0.15 and foreign > function:
        flags.append(f"language: {100 * foreign:.0f}% of its words are function words of other languages, {100 * function:.0f}% of English")
    if letters and (prose := prose_share(text)) < 0.7 and len(asked) >= 3 and prose_share(prompt) >= 0.7:
        flags.append(f"markup: {100 * prose:.0f}% of it are words, where the prompt is prose")
    if (copied := echoed(prompt, text)) and 2 * copied >= len(w):
        flags.append(f"echo: {copied} of {len(w)} words are the prompt's")
    same, sentences = duplicates(text)
    if same > 1 and 2 * same >= sentences:
        flags.append(f"duplicates: {same} of {sentences} sentences are nearly the same as others")
    if not ended and end_share >= 0.9:
        flags.append(f"never_ended: no end in {len(tokens)} tokens, where {100 * end_share:.0f}% of unsteered texts end")
    if order < 0.15 * median:
        flags.append(f"implausible: the order of its words tells {order:.2f} nats a token, that of unsteered texts {median:.2f}")
    return flags


# ---- Coherence ----

def coherence(nll, order, median_nll, median_order, collapsed):
    """The less of two lines: what the order of the words tells as a share of what it does in unsteered texts, and how
    many times as many nats they take, from twice on. A collapsed text has at most 1.5."""
    if np.isnan(order):
        return 1.0 if collapsed else float("nan")
    c = np.clip(min(1 + 3.6 * order / median_order, 5 - 2 * max(0, nll / max(median_nll, 1) - 2)), 1, 5)
    return float(min(c, 1.5) if collapsed else c)
