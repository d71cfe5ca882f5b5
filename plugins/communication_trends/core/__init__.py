"""What a trend is and how it is stored: plain values and connections in, results out. No Airflow in here."""
