"""Instructions of our own to measure with."""

QUESTIONS = (
    "Explain how a refrigerator keeps food cold, for a curious ten-year-old.",
    "Write a short letter to a neighbour who plays loud music at night.",
    "What should I think about before I adopt a dog from a shelter?",
    "Describe three ways in which a small shop can use less electricity.",
    "How do I prepare for my first job interview as a nurse?",
    "Tell a short story about a lighthouse keeper who finds a bottle with a map.",
    "Compare trains and planes for a journey of five hundred kilometres.",
    "Why do leaves change colour in autumn, and why do they fall?",
    "Give me a plan for learning to bake bread in four weekends.",
    "Summarise what a database index is and when it does not help.",
    "What are good questions to ask my grandparents about their childhood?",
    "Explain the difference between weather and climate with everyday examples.",
    "Draft an announcement that our office will move to another floor next month.",
    "How can a beginner start running without getting hurt?",
    "What makes a good photograph of a city street at night?",
    "Describe how a bill becomes a law in a parliament, step by step.",
)
