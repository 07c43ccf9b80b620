"""Contenders against one another.

comparison      figures, and paired differences with a verdict
endpoints       what is compared: functions of sums over dates
overfitting     worse on a fold than on the training rows, by how much
text            a comparison as tables
figure          a comparison as a picture
paths           a cross-validation's paths as tables, JSON and a picture
paired          finished runs against the first of them
selection       what choosing the best of many settings is worth
objectives      what a search seeks
search          a search as tables, Markdown and JSON
search_figure   a search as a picture
sweep           a sweep as tables and JSON
surface         a sweep as a page with a heat map
"""
