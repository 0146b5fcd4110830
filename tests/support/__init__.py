"""What several tests share: the checkout, and devices and lines that tests alone need."""
