"""What the routes answer: rows of the SQL in, models out. No HTTP in here but for what is not there."""
