"""Names, streets, towns and mail domains that the generator draws from. Plain common words, compiled for this course.

Order matters: a name nearer the front is drawn more often, and changing a list changes the generated data.
Mail domains end in names that are reserved for examples, so no generated address reaches anybody.
"""

from __future__ import annotations

from typing import NamedTuple

FIRST_NAMES: tuple[str, ...] = tuple(
    """
    Anna Thomas Maria Michael Julia Andreas Laura Peter Sarah Stefan Lena Daniel Katharina Alexander Sophie Christian
    Emma Martin Hannah Markus Lisa Matthias Elena Sebastian Jürgen Zoë Łukasz İpek Wolfgang Susanne Robert Elisabeth
    William Margaret James Catherine Richard Patricia Joseph Jennifer Charles Barbara Christopher Jessica Anthony Karen
    Steven Deborah Edward Rebecca Benjamin Victoria Nicholas Samantha Jonathan Abigail Timothy Kimberly Gregory Pamela
    Patrick Caroline Frederick Theresa Samuel Josephine Theodore Eleanor Nathaniel Philippa Leonard Jacqueline Raymond
    Vincent Gabriel Isabella Valentin Dorothea Zacharias Magdalena Maximilian Gertrud Johannes Friederike Heinrich
    Wilhelmina Hans Ingrid Klaus Monika Dieter Renate Helmut Ursula Gerhard Brigitte Manfred Petra Uwe Sabine Bernd
    Angelika Rainer Heike Frank Claudia Ralf Birgit Jörg Silke Torsten Anja Sven Tanja Dirk Nicole Kai Simone Holger
    Melanie Marco Nadine Florian Franziska Tobias Stefanie Jan Vanessa Lukas Johanna Jonas Charlotte Felix Clara Moritz
    Mathilda Paul Frieda Emil Greta Anton Ida Oskar Marlene Karl Luise Friedrich Paula Konrad Helene Jakob Nora David
    Miriam Simon Judith Adrian Ruth Fabian Esther Dominik Verena Philipp Carina Manuel Bettina Kevin Doris Marvin Gisela
    Pierre Camille Louis Amélie Antoine Hélène François Chloé Étienne Océane Mathieu Élodie Guillaume Maëlle Rémi Anaïs
    Benoît Margaux Thierry Sylvie Laurent Nathalie Olivier Véronique Pieter Femke Joris Anouk Sander Marieke Bram Lotte
    Maarten Fleur Willem Saskia Daan Ilse Ruben Noor Jeroen Geert Wouter Annelies Giulia Marcello Chiara Lorenzo
    Francesca Matteo Alessia Davide Martina Giovanni Federica Luca Valentina Paolo Ilaria Carlos Lucía Javier Carmen
    Alejandro Pilar Diego Rocío José Inés Sergio Dolores Andrés Beatriz Miguel Marisol Íñigo Begoña Piotr Agnieszka
    Krzysztof Małgorzata Tomasz Ewa Paweł Joanna Marcin Katarzyna Michał Zofia Wojciech Grażyna Mehmet Ayşe Mustafa
    Fatma Ahmet Zeynep Emre Elif Yusuf Özlem Çağla Hüseyin Gülay Burak Derya Kerem Sevgi Erik Astrid Lars Karin Magnus
    Sigrid Björn Freja Gustav Linnea Anders Åsa Henrik Maja Søren Kirsten Jens Birthe Niamh Seán Aoife Ciarán Siobhán
    Declan Orla Ronan Fergus Maeve Owen Gwen Rhys Bethan Callum Fiona Angus Isla Tangeni Ndapewa Selma Immanuel Aina
    Petrus Hilma Priya Arjun Ananya Rohan Wei Mei Hiroshi Yuki Minh Linh Omar Leila Karim Amina Yasmin Tariq Nadia
    Dmitri Olga Sergej Irina Viktor Tatjana Boris Ljudmila Dragan Milica Goran Jelena Zoran Vesna Zsófia Gábor Ágnes
    László Katalin István Šárka Jiří Lenka Ondřej Kateřina Radu Ioana Mihai Andreea Nikos Eleni Giorgos Despina
    """.split()
)
SURNAMES: tuple[str, ...] = tuple(
    """
    Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Smith Jones Taylor Brown Williams Wilson
    Johnson Davies Robinson Wright Thompson Evans Walker White Roberts Green Hall Wood Jackson Clarke Schäfer Koch Bauer
    Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Krause
    Meier Lehmann Schmid Schulze Maier Köhler Herrmann König Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz Möller
    Weiß Jung Hahn Schubert Vogel Friedrich Keller Günther Frank Berger Winkler Roth Beck Lorenz Baumann Franke Albrecht
    Schuster Simon Ludwig Böhm Winter Kraus Schumacher Krämer Vogt Stein Jäger Otto Sommer Groß Seidel Heinrich Brandt
    Haas Schreiber Graf Schulte Dietrich Ziegler Kuhn Kühn Pohl Engel Horn Busch Bergmann Thomas Voigt Sauer Arnold
    Wolff Pfeiffer Martin Bernard Dubois Durand Leroy Moreau Laurent Lefebvre Michel Garcia Bertrand Roux Vincent
    Fournier Morel Girard Mercier Dupont Lambert Bonnet Fontaine Rousseau Blanc Guérin Boyer Garnier Chevalier Legrand
    Gauthier Perrin Clément Nicolas Mathieu Gautier Masson Marchand Duval Denis Dumont Lemaire Noël Dufour Meunier Brun
    Blanchard Giraud Joly Rivière Lucas Brunet Gaillard Barbier Arnaud Roche Renard Schmitz Picard Leclerc Colin Vidal
    Aubert Rolland Hubert Caron Besnard Renaud Philippe Lacroix Fabre Carpentier Jansen Bakker Visser Smit Meijer Boer
    Mulder Bos Vos Peeters Hendriks Dekker Dijkstra Brouwer Koning Willems Vermeulen Jacobs Maes Mertens Claes Goossens
    Wouters Smet Janssens Hermans Aerts Pauwels Dubbelman Kuiper Postma Hoekstra Veenstra Prins Blom Huisman Peters-Bos
    Schouten Kramer Timmermans Groen Verhoeven Scholten Bosman Kok Molenaar Schipper Hofman Willemsen Kuipers Koster
    Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo Conti Costa Giordano Mancini
    Rizzo Lombardi Moretti Barbieri Fontana Santoro Mariani Rinaldi Caruso Ferrara Galli Martini Leone Longo Gentile
    Martinelli Vitale Lombardo Serra Coppola Marchetti Parisi Villa Conte Ferraro Ferri Fabbri Bianco Marini Grasso
    Valentini Messina Sala Gatti Pellegrini Palumbo Sanna Farina Rizzi Monti Cattaneo Morelli Amato Silvestri Mazza
    Testa Grassi Pellegrino Carbone Giuliani Benedetti Barone Fernández González Rodríguez López Martínez Sánchez Pérez
    Gómez Jiménez Ruiz Hernández Díaz Moreno Muñoz Álvarez Romero Alonso Gutiérrez Navarro Torres Domínguez Vázquez
    Ramos Gil Ramírez Serrano Blanco Molina Morales Suárez Ortega Delgado Castro Ortiz Rubio Marín Sanz Núñez Iglesias
    Medina Garrido Cortés Castillo Santos Lozano Guerrero Cano Prieto Méndez Cruz Calvo Gallego Herrera Márquez León
    Vega Flores Cabrera Campos Peña Nowak Kowalski Wiśniewski Wójcik Kowalczyk Kamiński Lewandowski Zieliński Szymański
    Woźniak Dąbrowski Kozłowski Jankowski Mazur Kwiatkowski Krawczyk Kaczmarek Piotrowski Grabowski Zając Pawłowski
    Michalski Król Wieczorek Jabłoński Wróbel Nowakowski Majewski Olszewski Stępień Malinowski Jaworski Adamczyk Dudek
    Nowicki Pawlak Górski Witkowski Walczak Sikora Baran Rutkowski Michalak Szewczyk Ostrowski Tomaszewski Pietrzak
    Zalewski Wróblewski Yılmaz Kaya Demir Şahin Çelik Yıldız Yıldırım Öztürk Aydın Özdemir Arslan Doğan Kılıç Aslan
    Çetin Kara Koç Kurt Özkan Şimşek Polat Korkmaz Özcan Çakır Erdoğan Yavuz Acar Şen Güneş Bozkurt Avcı Tekin Güler
    Aksoy
    Andersson Johansson Karlsson Nilsson Eriksson Larsson Olsson Persson Svensson Gustafsson Pettersson Jonsson Jansson
    Hansson Bengtsson Jönsson Lindberg Jakobsson Magnusson Olofsson Lindström Lindqvist Lindgren Berglund Fredriksson
    Sandberg Henriksson Forsberg Sjöberg Wallin Engström Danielsson Håkansson Eklund Lundin Gunnarsson Bergström
    Nielsen Jensen Hansen Pedersen Andersen Christensen Larsen Sørensen Rasmussen Jørgensen Petersen Madsen Kristensen
    Olsen Thomsen Christiansen Poulsen Johansen Møller Mortensen Murphy Kelly O'Sullivan Walsh O'Brien Byrne Ryan
    O'Connor O'Neill O'Reilly Doyle McCarthy Gallagher Doherty Kennedy Lynch Murray Quinn Moore McLoughlin O'Carroll
    Connolly Daly O'Connell Dunne Brennan Burke Collins Campbell Johnston Hughes Farrell Fitzgerald Maguire Nolan Flynn
    Callaghan O'Donnell Duffy Mahony Boyle Healy Shea Sweeney Hayes Kavanagh Power McGrath Moran Brady Stewart Casey
    Foley Fitzpatrick Leary McDonnell Scott Ward Cooper Turner Hill Morris Harrison Morgan Baker Patel Allen Mitchell
    Phillips Parker Bennett Cook Shaw Marshall Richardson Bailey Carter Bell Ellis Adams Cox Foster Barnes Mills Palmer
    Matthews Webb Knight Butler Barker Stevens Holmes Rogers Harvey Hunt Dixon Gibson Pearson Graham Fletcher Fisher
    Andrews Lloyd Reynolds Grant Russell Spencer Hawkins Payne Ford Gordon Reid Chapman Hamutenya Shikongo Nangolo
    Amukwaya Haufiku Iipinge Singh Sharma Gupta Nair Chen Wang Zhang Nguyen Tran Tanaka Suzuki Haddad Mansour Ivanov
    Petrov Sokolov Popović Jovanović Nikolić Horvat Kovač Novák Dvořák Svoboda Nagy Szabó Tóth Kovács Popescu Ionescu
    Papadopoulos Georgiou Dimitriou
    """.split()
)
_GERMAN = """
    Hauptstraße, Bahnhofstraße, Dorfstraße, Gartenstraße, Schulstraße, Kirchstraße, Bergstraße, Birkenweg, Lindenstraße,
    Ringstraße, Goethestraße, Schillerstraße, Waldstraße, Wiesenweg, Am Markt, Rosenweg, Mozartstraße, Beethovenstraße,
    Ahornweg, Buchenweg, Eichenweg, Fichtenweg, Erlenweg, Tannenweg, Feldstraße, Mühlenweg, Mühlstraße, Talstraße,
    Parkstraße, Poststraße, Friedhofstraße, Jahnstraße, Blumenstraße, Uferstraße, Rathausplatz, Marktplatz, Burgstraße,
    Schloßstraße, Friedrichstraße, Wilhelmstraße, Kaiserstraße, Königstraße, Bismarckstraße, Mittelstraße, Nordstraße,
    Südstraße, Weststraße, Oststraße, Industriestraße, Sonnenstraße, Sandweg, Steinweg, Kastanienallee, Lindenallee,
    Schwarzer Weg, Am Sportplatz, Am Bach, An der Kirche, Brunnenstraße, Hohlweg, Kapellenweg, Kirchweg, Klosterstraße,
    Lerchenweg, Amselweg, Finkenweg, Meisenweg, Drosselweg, Nelkenweg, Tulpenweg, Veilchenweg, Weinbergstraße
"""
_ENGLISH = """
    High Street, Station Road, Church Lane, Main Street, Park Road, London Road, Victoria Road, Green Lane, Manor Road,
    Church Street, Mill Lane, Queens Road, Kings Road, The Avenue, School Lane, York Road, Springfield Road,
    Grange Road, Windsor Road, Albert Road,
    New Road, West Street, North Street, Chapel Street, Bridge Street, Castle Street,
    Meadow Lane, Orchard Close, Oak Avenue, Elm Grove, Cedar Drive, Willow Way, Abbey Road, Priory Road, Market Place,
    St John's Road, Queen's Terrace, Rose Hill
"""
_FRENCH = """
    Rue de l'Église, Rue du Moulin, Place de la Mairie, Rue des Écoles, Rue Pasteur, Avenue Victor Hugo, Rue de la Gare,
    Rue du Château, Rue Jean Jaurès, Rue de la Paix, Rue Nationale, Rue des Lilas, Chemin des Vignes, Rue du Stade,
    Rue Molière, Boulevard Voltaire, Rue de la République, Allée des Tilleuls, Rue Saint-Martin, Quai de Seine
"""
_DUTCH = """
    Kerkstraat, Schoolstraat, Molenweg, Dorpsstraat, Molenstraat, Julianastraat, Beatrixstraat, Wilhelminastraat,
    Stationsstraat, Nieuwstraat, Parallelweg, Industrieweg, Eikenlaan, Beukenlaan, Lindelaan, Kastanjelaan,
    Prinsengracht, Marktstraat, Veldweg, Hoogstraat
"""
_ITALIAN = """
    Via Roma, Via Garibaldi, Corso Italia, Via Dante, Via Mazzini, Piazza Cavour, Via Verdi, Via Manzoni, Via Marconi,
    Viale Europa, Via Leopardi, Via Galilei, Via Trieste, Via Milano, Via della Libertà
"""
_SPANISH = """
    Calle Mayor, Calle Real, Plaza de España, Calle del Sol, Avenida de la Constitución, Calle San Juan, Calle Nueva,
    Calle de la Fuente, Paseo del Prado, Calle Cervantes, Calle del Carmen, Calle Goya, Calle Colón, Ronda de Toledo
"""
_POLISH = """
    ulica Polna, ulica Leśna, ulica Słoneczna, ulica Krótka, ulica Szkolna, ulica Ogrodowa, ulica Lipowa, ulica Łąkowa,
    ulica Brzozowa, ulica Kwiatowa, ulica Kościelna, ulica Sosnowa, ulica Zielona, ulica Parkowa, ulica Akacjowa
"""
_SWEDISH = """
    Storgatan, Kungsgatan, Drottninggatan, Skolgatan, Kyrkogatan, Järnvägsgatan, Ringvägen, Björkvägen, Skogsvägen,
    Strandvägen, Ängsvägen, Parkgatan
"""
_TURKISH = """
    Atatürk Caddesi, İstiklal Caddesi, Cumhuriyet Caddesi, Gül Sokak, Lale Sokak, Çınar Sokak, Bağdat Caddesi,
    Menekşe Sokak, İnönü Caddesi, Barış Sokak
"""


def _streets(text: str) -> tuple[str, ...]:
    return tuple(street.strip() for street in text.split(","))


STREETS: dict[str, tuple[str, ...]] = {
    "de": _streets(_GERMAN),
    "en": _streets(_ENGLISH),
    "fr": _streets(_FRENCH),
    "nl": _streets(_DUTCH),
    "it": _streets(_ITALIAN),
    "es": _streets(_SPANISH),
    "pl": _streets(_POLISH),
    "sv": _streets(_SWEDISH),
    "tr": _streets(_TURKISH),
}


class Country(NamedTuple):
    """How addresses and mobile numbers look in a country. `trunk` is dialled before a number inside the country."""

    code: str
    calling_code: str
    trunk: str
    mobile_prefix: str
    streets: str


COUNTRIES: tuple[Country, ...] = (
    Country("DE", "49", "0", "151", "de"),
    Country("AT", "43", "0", "664", "de"),
    Country("CH", "41", "0", "79", "de"),
    Country("NL", "31", "0", "61", "nl"),
    Country("BE", "32", "0", "47", "fr"),
    Country("FR", "33", "0", "61", "fr"),
    Country("GB", "44", "0", "771", "en"),
    Country("IE", "353", "0", "86", "en"),
    Country("IT", "39", "", "347", "it"),
    Country("ES", "34", "", "61", "es"),
    Country("PL", "48", "", "60", "pl"),
    Country("SE", "46", "0", "70", "sv"),
    Country("TR", "90", "0", "532", "tr"),
    Country("NA", "264", "0", "81", "de"),
)


class City(NamedTuple):
    """A town with one of its postal codes."""

    name: str
    postcode: str
    country: str


CITIES: tuple[City, ...] = tuple(
    City(*(part.strip() for part in line.split("|")))
    for line in """
    Berlin|10115|DE
    Hamburg|20095|DE
    München|80331|DE
    Köln|50667|DE
    Frankfurt am Main|60311|DE
    Wien|1010|AT
    Zürich|8001|CH
    Amsterdam|1012 AB|NL
    Paris|75011|FR
    London|SW1A 1AA|GB
    Stuttgart|70173|DE
    Düsseldorf|40213|DE
    Leipzig|04109|DE
    Dresden|01067|DE
    Hannover|30159|DE
    Nürnberg|90402|DE
    Bremen|28195|DE
    Essen|45127|DE
    Dortmund|44135|DE
    Bonn|53111|DE
    Münster|48143|DE
    Karlsruhe|76131|DE
    Freiburg im Breisgau|79098|DE
    Lübeck|23552|DE
    Erfurt|99084|DE
    Rostock|18055|DE
    Kassel|34117|DE
    Halle (Saale)|06108|DE
    Görlitz|02826|DE
    Graz|8010|AT
    Linz|4020|AT
    Salzburg|5020|AT
    Innsbruck|6020|AT
    Bern|3011|CH
    Basel|4051|CH
    Genève|1204|CH
    Rotterdam|3011 AD|NL
    Utrecht|3511 LN|NL
    's-Hertogenbosch|5211 JX|NL
    Bruxelles|1000|BE
    Antwerpen|2000|BE
    Liège|4000|BE
    Lyon|69002|FR
    Marseille|13001|FR
    Toulouse|31000|FR
    Nice|06000|FR
    Nantes|44000|FR
    Strasbourg|67000|FR
    Manchester|M1 1AE|GB
    Birmingham|B1 1BB|GB
    Leeds|LS1 4DY|GB
    Bristol|BS1 4ND|GB
    Edinburgh|EH1 1YZ|GB
    Cardiff|CF10 1EP|GB
    Dublin|D02 X285|IE
    Cork|T12 W8KR|IE
    Galway|H91 E9X7|IE
    Roma|00184|IT
    Milano|20121|IT
    Torino|10121|IT
    Bologna|40121|IT
    Napoli|80134|IT
    Madrid|28013|ES
    Barcelona|08002|ES
    Valencia|46001|ES
    Sevilla|41004|ES
    Málaga|29015|ES
    A Coruña|15001|ES
    Warszawa|00-001|PL
    Kraków|31-001|PL
    Łódź|90-001|PL
    Wrocław|50-001|PL
    Gdańsk|80-001|PL
    Stockholm|111 20|SE
    Göteborg|411 03|SE
    Malmö|211 20|SE
    İstanbul|34000|TR
    İzmir|35000|TR
    Windhoek|10005|NA
    Swakopmund|13001|NA
    """.strip().splitlines()
)
EMAIL_DOMAINS: tuple[str, ...] = (
    "mail.example",
    "post.example",
    "example.com",
    "inbox.example",
    "web.example",
    "freemail.example",
    "example.org",
    "letters.example",
    "home.example",
    "example.net",
    "quickmail.example",
    "online.example",
    "nordpost.example",
    "courrier.example",
    "correo.example",
    "poczta.example",
    "eposta.example",
    "studio.example",
    "family.example",
    "work.example",
)
