"""Trained heads: what they learn from, their versions, and what is shown of them.

definitions   what a head is: its task, what it learns from, what it may know
judging       judgements of people, to learn from
learning      posts and targets of one training
registry      versions: candidate, shadow, live, retired
serving       what the versions in use say of posts
drift         how far what is seen now is from what was learned from
"""
