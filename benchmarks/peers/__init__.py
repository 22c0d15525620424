"""What a user would write instead: `guest` and `user-token`, as each library's guide has it."""
