"""What a prompt costs, and how to ask for less money: pure arithmetic over tokens, prices and the rules of caching.

May import plain data (prices and model profiles among it) and the task.
"""
