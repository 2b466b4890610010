"""From vectors to topics: neighbours, a low-dimensional layout, dense regions, layers of them."""
