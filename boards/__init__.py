"""Boards, the top that they share, and the host that drives them."""
