"""What a run looks like to the people who read it: pages, sheets and documents."""
