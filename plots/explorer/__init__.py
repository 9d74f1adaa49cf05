"""The page of a galaxy that opens in a browser, without a server; of its files only `page` is for others."""
