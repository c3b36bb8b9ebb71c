"""What reaches people: calendar, mail, text messages, pages."""
