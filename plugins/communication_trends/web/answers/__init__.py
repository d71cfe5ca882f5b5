"""What the routes answer: rows of the SQL in, models out. No HTTP in here except 404."""
