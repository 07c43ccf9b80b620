"""Who may ask: one user with one token, from a browser that was opened by a link of their own.

token       the token, in a file that only its owner can read
codes       one-time codes: what a link carries in the token's place
sessions    cookies, signed with the token
signed_out  those that signed out before their time
failures    how many wrong tries are still answered, and how
origins     which hosts and origins are ours
headers     what every answer says to the browser
guard       all of it before every request
"""
