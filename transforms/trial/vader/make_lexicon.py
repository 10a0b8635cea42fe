"""Writes lexicon.txt.gz from vader_lexicon.txt of the Python package vaderSentiment 3.3.2.

    python make_lexicon.py vader_lexicon.txt

Kept: entries that are one lower-case English word (letters and apostrophes), with their mean
rating, -4 to 4, by ten people. Left out: emoticons, phrases, initialisms with digits, the single
ratings. Sorted by word, one "word<TAB>rating" a line; the archive has no name and no time in it.
"""

import gzip
import re
import sys

rows = {}
with open(sys.argv[1], encoding="utf-8") as f:
    for line in f:
        word, rating = line.rstrip("\n").split("\t")[:2]
        if re.fullmatch(r"[a-z]+('[a-z]+)*", word):
            rows[word] = float(rating)
text = "".join(f"{w}\t{rows[w]:g}\n" for w in sorted(rows))
with open("lexicon.txt.gz", "wb") as f:
    with gzip.GzipFile("", "wb", 9, f, mtime=0) as z:
        z.write(text.encode())
print(len(rows), "words")
