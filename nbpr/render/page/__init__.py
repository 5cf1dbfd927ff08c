"""The parts of the review page: what notebooks hold, made into HTML that can do nothing but be read."""
