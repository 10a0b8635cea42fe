"""What the two models read and write: positions, residuals, steered greedy text, likelihoods.

transformers runs them in float32, one text at a time, without padding.
"""
import unicodedata

import numpy as np
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast


class Model:
    """A model with one site: the residual stream after block `layer`, which is what that block returns."""

    def __init__(self, folder, layer):
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.push, self.first, self.seen = None, 0, None
        self.margin = np.inf  # the smallest difference between the best and the second-best logit so far
        self.model.model.layers[layer].register_forward_hook(self.site)
        eos = self.model.generation_config.eos_token_id
        self.ends = eos if isinstance(eos, list) else [eos]

    def site(self, block, arguments, returned):
        hidden = returned[0] if isinstance(returned, tuple) else returned
        self.seen = hidden[0]
        if self.push is None:
            return returned
        hidden = hidden.clone()
        hidden[0, self.first:] += self.push
        return (hidden, *returned[1:]) if isinstance(returned, tuple) else hidden

    def read(self, text):
        """The tokens of a text and, for each, the character just after it (0: of no character)."""
        encoded = self.tokenizer(text, return_offsets_mapping=True)
        return encoded["input_ids"], [end for _, end in encoded["offset_mapping"]]

    @torch.no_grad()
    def residuals(self, text, ends):
        """The residual at the last token that ends at each of these characters."""
        tokens, token_ends = self.read(text)
        self.model(input_ids=torch.tensor([tokens]))
        last = {end: i for i, end in enumerate(token_ends)}
        return self.seen[[last[e] for e in ends]].numpy().astype(np.float64)

    @torch.no_grad()
    def mean_residual(self, text):
        """The mean residual over the tokens of a text but the first that the model reads; None if there is no other."""
        tokens, ends = self.read(text)
        own = [i for i, end in enumerate(ends) if i > 0 and end > 0]
        if not own:
            return None
        self.model(input_ids=torch.tensor([tokens]))
        return self.seen[own].numpy().astype(np.float64).mean(axis=0)

    @torch.no_grad()
    def continue_(self, prompt, new_tokens, push=None):
        """The greedy continuation of a prompt, and whether the model ended it itself.

        push is added from the last prompt token on: each of these tokens was once the newest. Nothing is cached;
        the whole text is read again for every token. End-of-text ends a continuation and is not part of it.
        """
        tokens = self.read(prompt)[0]
        start, self.first = len(tokens), len(tokens) - 1
        self.push = None if push is None else torch.from_numpy(push.astype(np.float32))
        try:
            while len(tokens) < start + new_tokens:
                best = torch.topk(self.model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1], 2)
                self.margin = min(self.margin, (best.values[0] - best.values[1]).item())
                if best.indices[0].item() in self.ends:
                    return tokens[start:], True
                tokens = tokens + [best.indices[0].item()]
        finally:
            self.push = None
        return tokens[start:], False

    @torch.no_grad()
    def nll(self, prompt, continuation):
        """The mean of −log p over the tokens of a continuation, in nats, without steering; NaN for no tokens."""
        if not continuation:
            return float("nan")
        tokens = self.read(prompt)[0]
        logits = self.model(input_ids=torch.tensor([tokens + continuation])).logits[0, len(tokens) - 1:-1]
        logp = torch.log_softmax(logits.double(), dim=-1)
        return -logp[range(len(continuation)), continuation].mean().item()

    def added_text(self, prompt, continuation):
        """The text that a continuation adds to its prompt."""
        tokens = self.read(prompt)[0]
        before, whole = (self.tokenizer.decode(t, skip_special_tokens=True) for t in (tokens, tokens + continuation))
        assert whole.startswith(before)
        return whole[len(before):]


def in_word(c):
    return c in "'’" or unicodedata.category(c)[0] in "LM" or unicodedata.category(c) == "Nd"


def word_ends(text):
    """The characters just after each word, from the third word on."""
    ends = [i for i in range(1, len(text) + 1) if in_word(text[i - 1]) and (i == len(text) or not in_word(text[i]))]
    return ends[2:]


def positions(text, models):
    """The word ends of a text at which a token ends in every model."""
    common = [set(m.read(text)[1]) for m in models]
    return [e for e in word_ends(text) if all(e in ends for ends in common)]


def persona_sums(model, partner, positive, negative):
    """Of every even-numbered text its label, the sum of its residuals, and over how many positions."""
    texts = [(True, t) for t in positive[::2]] + [(False, t) for t in negative[::2]]
    rows = [model.residuals(t, positions(t, (model, partner))) for _, t in texts]
    return np.array([label for label, _ in texts]), np.array([r.sum(axis=0) for r in rows]), np.array([len(r) for r in rows])


def difference(labels, sums, counts):
    """mean(positive) − mean(negative) over all positions."""
    return sums[labels].sum(axis=0) / counts[labels].sum() - sums[~labels].sum(axis=0) / counts[~labels].sum()
