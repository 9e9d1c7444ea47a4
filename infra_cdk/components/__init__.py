"""One component, one word: the same as its folder of `functions/`, besides the two APIs."""
