"""The words that made-up names consist of: harmless, fit for a path, a URL and a DNS label.

At most five and eight letters, so that a name, what precedes it and the largest file of the datagram test cases make
1024 bytes: more than that some browsers do not put into one WebTransport datagram.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ADJECTIVES", "ANIMALS"]

ADJECTIVES: Final = tuple(
    """
    able aged airy amber arid awake azure bare big blue bold brave brief brisk broad busy calm cheap chief civil clean
    clear close cold cool crisp curly cyan damp dark dear deep dense dim dry dull eager early easy even fair far fast
    few fine firm first flat fond free fresh full funny giant glad good grand gray great green happy hard heavy high
    hot huge icy ideal jolly keen kind large late lazy lean light local lone long loose loud low loyal lucky lunar
    main merry mild near neat new nice noble north novel odd old olive open pale plain prime proud pure quick quiet
    rapid rare ready red rich ripe rough round royal rural safe sandy sharp shiny short shy slim slow small smart soft
    solar solid south spare spicy steep still stout sunny super sweet swift tall tame thick thin tidy tiny tired true
    upper urban vast vital vivid warm wet white whole wide wild windy wise young zesty
    """.split()  # noqa: SIM905 -- one a line would be five pages
)
ANIMALS: Final = tuple(
    """
    adder ant ape badger bat bear beaver bee beetle bison boar buffalo bull camel carp cat cheetah cicada clam cobra
    cod condor cow coyote crab crane cricket crow deer dingo dog dolphin donkey dove duck eagle eel egret elephant elk
    emu falcon ferret finch firefly fish flamingo fly fox frog gazelle gecko gibbon giraffe gnat goat goose gorilla
    grouse gull hamster hare hawk hedgehog heron herring hippo hornet horse hyena ibex ibis iguana impala jackal
    jaguar jay kangaroo kestrel kiwi koala lamb lark lemur leopard lion lizard llama lobster locust lynx magpie
    mallard marten mink mole moose moth mouse mule newt octopus okapi orca oriole osprey ostrich otter owl ox oyster
    panda panther parrot pelican penguin perch pigeon pike plover pony puffin puma quail rabbit raccoon ram raven
    robin salmon seal shark sheep shrew shrimp skunk sloth slug snail snipe sparrow spider squid stork swallow swan
    swift tapir tiger toad trout tuna turkey turtle viper vole vulture walrus wasp weasel whale wolf wombat worm wren
    yak zebra
    """.split()  # noqa: SIM905 -- one a line would be five pages
)
