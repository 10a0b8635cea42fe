"""Random numbers as the experiment draws them: ChaCha8 streams keyed by what a draw is for.

Written from the specification of chacha8rand (https://c2sp.org/chacha8rand), Lemire's bounded integers
(arXiv 1805.10941), the shuffle of Fisher and Yates, and the ziggurat of Marsaglia and Tsang (2000), which is
what Go's math/rand/v2 documents. A key is the SHA-256 of a recipe: one line "name length:value" a field.
"""
import hashlib
import math

import numpy as np


def recipe(kind, version=1, **fields):
    """The key of a draw: SHA-256 over the lines of its recipe."""
    text = ""
    for name, value in {"kind": kind, "version": version, **fields}.items():
        value = str(value)
        text += f"{name} {len(value.encode())}:{value}\n"
    return hashlib.sha256(text.encode()).digest()


def chacha8_blocks(key, counter):
    """Four blocks of ChaCha8 side by side, as 32 numbers of 64 bits.

    Row i of the state is 4 lanes of 32 bits, one a block; the output is the state row by row. Unlike
    ChaCha20 only the key is added back, and the nonce is zero.
    """
    key = np.frombuffer(key, "<u4")
    b = np.zeros((16, 4), np.uint32)
    b[:4] = np.frombuffer(b"expand 32-byte k", "<u4")[:, None]
    b[4:12] = key[:, None]
    b[12] = counter + np.arange(4)

    def quarter(i, j, k, l):
        for (p, q, r, turn) in ((i, j, l, 16), (k, l, j, 12), (i, j, l, 8), (k, l, j, 7)):
            b[p] += b[q]
            x = b[r] ^ b[p]
            b[r] = x << np.uint32(turn) | x >> np.uint32(32 - turn)

    for _ in range(4):
        for columns in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
            quarter(*columns)
        for diagonals in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(*diagonals)
    b[4:12] += key[:, None]
    return np.frombuffer(b.astype("<u4").tobytes(), "<u8")


def chacha8(key):
    """The stream of a 32-byte key. The last 4 of every 16 blocks' 128 numbers become the next key."""
    while True:
        for counter in (0, 4, 8, 12):
            numbers = chacha8_blocks(key, counter)
            if counter == 12:
                numbers, key = numbers[:28], numbers[28:].tobytes()
            yield from numbers.tolist()


# The layers of the ziggurat: x[i] their right ends, all of area v; the base is layer 0.
R, V = 3.442619855899, 9.91256303526217e-3


def ziggurat():
    density = lambda x: math.exp(-x * x / 2)
    scale = 2.0 ** 31
    k, w, f = [0] * 128, [0.0] * 128, [1.0] * 128
    base = V / density(R)
    k[0], w[0], w[127], f[127] = int(R / base * scale), base / scale, R / scale, density(R)
    x, before = R, R
    for i in range(126, 0, -1):
        x = math.sqrt(-2 * math.log(V / x + density(x)))
        k[i + 1], w[i], f[i] = int(x / before * scale), x / scale, density(x)
        before = x
    return k, [float(np.float32(v)) for v in w], [np.float32(v) for v in f]


K, W, F = ziggurat()


class Stream:
    """What is drawn from one key, in order."""

    def __init__(self, key):
        self.next = chacha8(key).__next__

    def uniform(self):
        return (self.next() & (1 << 53) - 1) / (1 << 53)

    def below(self, n):
        """A uniform integer below n."""
        if n & (n - 1) == 0:
            return self.next() & (n - 1)
        while True:
            product = self.next() * n
            if product & (1 << 64) - 1 >= (1 << 64) % n:
                return product >> 64

    def shuffled(self, items):
        items = list(items)
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items

    def normal(self):
        """A standard normal number."""
        while True:
            u = self.next()
            j, layer = u & 0xFFFFFFFF, u >> 32 & 127
            j -= (j >> 31) << 32  # signed
            x = j * W[layer]
            if abs(j) < K[layer]:
                return x
            if layer == 0:  # the tail
                while True:
                    x, y = -math.log(self.uniform()) / R, -math.log(self.uniform())
                    if 2 * y >= x * x:
                        return R + x if j > 0 else -R - x
            if F[layer] + np.float32(self.uniform()) * (F[layer - 1] - F[layer]) < np.float32(math.exp(-x * x / 2)):
                return x

    def normals(self, n):
        return np.array([self.normal() for _ in range(n)])
