"""Support that several tests share: the checkout, the ladder, and devices and lines for tests."""
