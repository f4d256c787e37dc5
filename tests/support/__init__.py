"""What tests share: servables to try, what to ask them, whether they answer alike, what is made once."""
