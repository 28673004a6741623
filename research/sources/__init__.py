"""Where announcements and prices come from, all behind one protocol."""
