"""Software against hardware: the ideal network in double precision, and how near a core comes."""
