"""Where messages go: services by apprise, a webhook with a signed body, a call that says "alive".

secrets         addresses and secrets, from the environment or a file; and what hides them
delivery        what is sent, and what went wrong with it
services        Telegram, e-mail and the others, by apprise
webhook         a signed JSON body
posting         one HTTP request, without a redirect
"""
