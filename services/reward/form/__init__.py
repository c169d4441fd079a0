"""The form component: a penalty for answers that do not have the form that the conversation demands."""
