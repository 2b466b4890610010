"""Search: a request becomes ranked lists of the store, the lists one ranking, the ranking pages of hits.

Read ``service.py`` first; ``ranking.py`` holds the rules of what is a hit and in which order.
"""
